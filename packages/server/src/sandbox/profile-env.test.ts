import { expect, test } from 'vitest';
import { profileEnv } from './profile-env.ts';

test('[SB11] the profile minimal lets through where programs are, the language and the user, nothing else', () => {
  const hostEnv = {
    PATH: '/bin',
    LANG: 'de_DE.UTF-8',
    USER: 'ann',
    API_KEY: 'x',
    HOME: '/home/ann',
    CI: '1',
  };
  expect(profileEnv('minimal', hostEnv)).toEqual({
    ok: true,
    value: { PATH: '/bin', LANG: 'de_DE.UTF-8', TERM: 'dumb', USER: 'ann' },
  });
});

test('[SB11] a profile that does not exist is refused with those that do', () => {
  for (const name of ['maximal', 'toString', '__proto__', '']) {
    expect(profileEnv(name, {})).toMatchObject({
      ok: false,
      error: { code: 'unknown_profile', hint: expect.stringContaining('minimal') as string },
    });
  }
});
