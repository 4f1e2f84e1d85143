import { describe, expect, test } from 'vitest';
import {
  consistencyProof,
  createCompactRange,
  inclusionProof,
  leafHash,
  rootOf,
  rootOfSet,
  setProof,
  verifyConsistency,
  verifyInclusion,
} from './tree.ts';

// Entries and roots of the test data that comes with RFC 6962.
const ENTRIES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const SIZE = 70;
const leaves = Array.from({ length: SIZE }, (_, i) => leafHash(Buffer.from(`entry ${i}`)));
const other = leafHash(Buffer.from('another entry'));
const prefix = (size: number): readonly Buffer[] => leaves.slice(0, size);

/** Proofs that differ from `proof` in one way each. */
function tampered(proof: readonly Buffer[]): readonly (readonly Buffer[])[] {
  const swapped = proof.map((_, i) => proof.with(i, other));
  return [
    ...swapped,
    proof.slice(1),
    proof.slice(0, -1),
    [...proof, other],
    [other, ...proof],
  ].filter((each) => each.length !== proof.length || each.some((hash, i) => hash !== proof[i]));
}

describe('the hash tree', () => {
  test.each(ROOTS.map((root, size) => ({ root, size })))(
    '[LG9] over the first $size entries of RFC 6962 has their root',
    ({ root, size }) => {
      const hashes = ENTRIES.slice(0, size).map((hex) => leafHash(Buffer.from(hex, 'hex')));
      expect(rootOf(hashes).toString('hex')).toBe(root);
    },
  );

  test('[LG9] goes on from the edge of an earlier one', () => {
    for (let size = 0; size <= SIZE; size += 1) {
      const edge = createCompactRange();
      for (const leaf of prefix(size)) edge.append(leaf);
      const continued = createCompactRange(edge.size(), edge.hashes());
      for (const leaf of leaves.slice(size)) continued.append(leaf);
      expect(continued.root()).toEqual(rootOf(leaves));
    }
  });

  test('[LG9] proves each entry of each tree up to 70, and nothing else', () => {
    for (let size = 1; size <= SIZE; size += 1) {
      const root = rootOf(prefix(size));
      for (let index = 0; index < size; index += 1) {
        const proof = inclusionProof(prefix(size), index);
        const claim = { leaf: leaves[index]!, index, size, root, proof };
        const falseClaims = [
          { ...claim, leaf: other },
          { ...claim, root: other },
          { ...claim, index: index + 1 },
          { ...claim, index: -1 },
          ...tampered(proof).map((wrong) => ({ ...claim, proof: wrong })),
        ];
        if (!verifyInclusion(claim) || falseClaims.some(verifyInclusion)) {
          expect.fail(`entry ${index} of ${size}`);
        }
      }
    }
  });

  test('[LG9] proves that each tree up to 70 is the beginning of each larger one, and nothing else', () => {
    for (let secondSize = 0; secondSize <= SIZE; secondSize += 1) {
      const secondRoot = rootOf(prefix(secondSize));
      for (let firstSize = 0; firstSize <= secondSize; firstSize += 1) {
        const proof = consistencyProof(prefix(secondSize), firstSize);
        const firstRoot = rootOf(prefix(firstSize));
        const claim = { firstSize, firstRoot, secondSize, secondRoot, proof };
        const falseClaims = [
          { ...claim, firstRoot: other },
          // Any tree begins with the empty one.
          ...(firstSize === 0 ? [] : [{ ...claim, secondRoot: other }]),
          { ...claim, firstSize: secondSize + 1 },
          ...tampered(proof).map((wrong) => ({ ...claim, proof: wrong })),
        ];
        if (!verifyConsistency(claim) || falseClaims.some(verifyConsistency)) {
          expect.fail(`${firstSize} of ${secondSize}`);
        }
      }
    }
  });

  test('[LG9] has no proof for what is not in it', () => {
    expect(() => inclusionProof(prefix(3), 3)).toThrow(RangeError);
    expect(() => consistencyProof(prefix(3), 4)).toThrow(RangeError);
  });
});

describe('the proof of a set', () => {
  test('[RP2] makes the root with its leaves, whichever they are, and with no others', () => {
    const root = rootOf(leaves);
    const sets = [[0], [SIZE - 1], [3, 4, 5, 40], [1, 33, 64, 69], [...leaves.keys()]];
    for (const indices of sets) {
      const members = indices.map((index) => ({ index, leaf: leaves[index] ?? other }));
      const proof = setProof(leaves, indices);
      expect(rootOfSet(SIZE, members, proof)).toEqual(root);
      for (const wrong of tampered(proof)) {
        expect(rootOfSet(SIZE, members, wrong)?.equals(root) ?? false).toBe(false);
      }
      for (const [i, member] of members.entries()) {
        const changed = members.with(i, { ...member, leaf: other });
        expect(rootOfSet(SIZE, changed, proof)?.equals(root)).toBe(false);
        expect(rootOfSet(SIZE, members.toSpliced(i, 1), proof)?.equals(root) ?? false).toBe(false);
      }
    }
  });

  test('[RP2] is none for leaves out of order, twice, or beyond the tree', () => {
    const leaf = leaves[1] ?? other;
    for (const indices of [[], [1, 1], [2, 1], [-1], [0.5], [SIZE]]) {
      const members = indices.map((index) => ({ index, leaf }));
      expect(rootOfSet(SIZE, members, setProof(leaves, [1]))).toBe(null);
    }
  });
});
