/** A plan file as the schema lets it through: what may be left out is optional, nothing is resolved yet. */
import type { Json, JsonObject, RiskClass } from '@ccdash/core';

export interface ScopeInFile {
  readonly tools?: readonly string[] | undefined;
  readonly write?: readonly string[] | undefined;
  readonly network?: 'none' | { readonly hosts: readonly string[] } | undefined;
}

export interface BudgetInFile {
  readonly usd?: number | undefined;
  readonly tokens?: number | undefined;
  readonly time?: string | undefined;
  readonly turns?: number | undefined;
}

interface BaseInFile {
  readonly id: string;
  readonly needs?: readonly string[] | undefined;
  readonly when?: string | undefined;
  readonly risk?: RiskClass | undefined;
  readonly scope?: ScopeInFile | undefined;
}

export interface AttemptedInFile extends BaseInFile {
  readonly timeout?: string | undefined;
  readonly retry?: { readonly attempts: number; readonly backoff?: string | undefined } | undefined;
  readonly onInterrupt?: 'ask' | 'resume' | 'retry' | undefined;
  readonly env?:
    | {
        readonly profile?: string | undefined;
        readonly set?: Readonly<Record<string, string>> | undefined;
        readonly from?: Readonly<Record<string, string>> | undefined;
      }
    | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly artifacts?: readonly string[] | undefined;
}

interface CommandInFile extends AttemptedInFile {
  readonly cwd?: string | undefined;
  readonly exitCodes?: readonly number[] | undefined;
}

export interface ScriptInFile extends CommandInFile {
  readonly run: string;
}

export interface ProgramInFile extends CommandInFile {
  readonly argv: readonly string[];
}

export interface AgentInFile extends AttemptedInFile {
  readonly agent: string;
  readonly prompt: string | { readonly file: string };
  readonly context?: readonly string[] | undefined;
  readonly model?: string | undefined;
  readonly budget?: BudgetInFile | undefined;
  readonly output?: { readonly schema: string | JsonObject } | undefined;
  readonly ext?: Readonly<Record<string, Json>> | undefined;
}

export type CheckInFile =
  | { readonly exit: { readonly step: string; readonly equals: number } }
  | { readonly paths: { readonly only: readonly string[] } }
  | {
      readonly file: {
        readonly path: string;
        readonly exists?: boolean | undefined;
        readonly matches?: string | undefined;
      };
    }
  | { readonly schema: { readonly output: string; readonly schema: string } }
  | {
      readonly number: {
        readonly file: string;
        readonly at: string;
        readonly min?: number | undefined;
        readonly max?: number | undefined;
      };
    }
  | { readonly noSecrets: true };

export interface ValidationInFile extends BaseInFile {
  readonly validate: readonly CheckInFile[];
}

export interface ApprovalInFile extends BaseInFile {
  readonly approve: string;
  readonly show?: readonly string[] | undefined;
  readonly by?:
    | {
        readonly roles?: readonly string[] | undefined;
        readonly people?: readonly string[] | undefined;
        readonly count?: number | undefined;
        readonly excludeRequester?: boolean | undefined;
        readonly inOrder?: boolean | undefined;
      }
    | undefined;
  readonly form?:
    | Readonly<
        Record<
          string,
          {
            readonly type: 'string' | 'number' | 'boolean';
            readonly required?: boolean | undefined;
          }
        >
      >
    | undefined;
  readonly onReject?: { readonly restart: string; readonly max?: number | undefined } | undefined;
  readonly expires?: string | undefined;
  readonly escalate?:
    | {
        readonly after: string;
        readonly roles?: readonly string[] | undefined;
        readonly people?: readonly string[] | undefined;
      }
    | undefined;
}

export type StepInFile =
  ScriptInFile | ProgramInFile | AgentInFile | ValidationInFile | ApprovalInFile;

export interface PlanFile {
  readonly version: 1;
  readonly name: string;
  readonly feature?: string | undefined;
  readonly context?:
    | {
        readonly prd?: string | undefined;
        readonly plan?: string | undefined;
        readonly progress?: readonly string[] | undefined;
        readonly sessions?: readonly string[] | undefined;
        readonly docs?: readonly string[] | undefined;
      }
    | undefined;
  readonly setup?:
    | {
        readonly copy?: readonly string[] | undefined;
        readonly run?: readonly string[] | undefined;
      }
    | undefined;
  readonly inputs?:
    | Readonly<
        Record<
          string,
          {
            readonly type: 'string' | 'number' | 'boolean';
            readonly default?: string | number | boolean | undefined;
            readonly required?: boolean | undefined;
            readonly description?: string | undefined;
          }
        >
      >
    | undefined;
  readonly scope?: ScopeInFile | undefined;
  readonly budget?: BudgetInFile | undefined;
  readonly concurrency?: number | undefined;
  readonly onFailure?: 'continue' | 'stop' | undefined;
  readonly steps: readonly StepInFile[];
}
