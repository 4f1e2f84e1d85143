import { err, ok } from '@ccdash/core';
import type { Failure, JsonObject, Result } from '@ccdash/core';
import { createHostileSchemaValidator } from '../base/hostile-schema.ts';

/** What is wrong with an answer, in words; null when it fits. */
export type AnswerCheck = (answer: unknown) => string | null;

/** Makes a check of a JSON Schema (2020-12) for an answer that is an object. Errors: Failure `invalid_schema`. */
export function createAnswerCheck(schema: JsonObject): Result<AnswerCheck, Failure> {
  const ajv = createHostileSchemaValidator();
  try {
    const validate = ajv.compile(schema);
    if ('$async' in validate) return err(invalidSchema('it is asynchronous'));
    return ok((answer) => {
      if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) {
        return 'the answer is not an object';
      }
      try {
        return validate(answer) ? null : ajv.errorsText(validate.errors, { dataVar: 'answer' });
      } catch (error) {
        return `its schema cannot be followed: ${error instanceof Error ? error.message : String(error)}`;
      }
    });
  } catch (error) {
    return err(invalidSchema(error instanceof Error ? error.message : String(error)));
  }
}

function invalidSchema(why: string): Failure {
  return {
    code: 'invalid_schema',
    message: `the schema of the answer is not a JSON Schema: ${why}`,
    hint: 'correct output.schema of the step',
  };
}

/** Failure `invalid_output`. */
export function invalidAnswer(problem: string): Failure {
  return {
    code: 'invalid_output',
    message: `the answer does not fit its schema: ${problem}`,
    hint: 'retry the step, or loosen its output.schema',
  };
}

/** The problem of an agent that ended without the answer it was asked for. */
export const NO_ANSWER = 'the agent gave no structured answer';
