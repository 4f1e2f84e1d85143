/** Entry of the test kit of the core: in-memory ports, given/when/then, conformance cases. */
export { AGENT_ADAPTER_CASES, TRIAL_SESSION } from './agent-adapter-cases.ts';
export type {
  AgentAdapterCase,
  AgentAdapterHarness,
  AgentBench,
  AgentTrial,
  TrialAttempt,
  TrialTurn,
} from './agent-adapter-cases.ts';
export { EVENT_STORE_CASES } from './event-store-cases.ts';
export type { EventStoreCase, EventStoreHarness } from './event-store-cases.ts';
export { createMemoryEventStore } from './memory-event-store.ts';
export { given, givenState } from './scenario.ts';
export type { Given, Told, When } from './scenario.ts';
export {
  testAgent,
  testApproval,
  testCommand,
  testPlan,
  testReader,
  testValidation,
} from './plan-fixtures.ts';
export {
  ALLOW,
  ANN,
  ANYBODY,
  ASK,
  BOB,
  COMMANDS,
  DENY,
  EVENTS,
  EXHAUSTED,
  FAILED,
  FAILED_RETRYABLE,
  GONE,
  NEVER_STARTED,
  RITA,
  STOPPED,
  SUCCEEDED,
  TEST_AT,
  TEST_ENGINE,
  TEST_EPOCH,
  TEST_NOW_MS,
  TEST_RUN,
  gateAnswered,
  gateRaised,
  told,
  testCommit,
  testContext,
  testEnd,
  testEvent,
  testFailure,
  testSuccess,
  testToken,
  testVerdict,
  toGate,
  toStart,
} from './run-fixtures.ts';
