/** What the outside may ask of the features of a project. */
import type { DocumentText, FeatureList, FeaturePlan, FeatureView } from '@ccdash/api';
import type { Failure, Result } from '@ccdash/core';

export interface Features {
  /** By slug; as the documents are now. */
  list(): Promise<FeatureList>;
  find(slug: string): Promise<FeatureView | null>;
  /** The text of a document of this feature, as it is now; null when the feature has no such document. */
  read(slug: string, path: string): Promise<Result<DocumentText, Failure> | null>;
  /**
   * Null when there is no such feature.
   * Errors: Failure `nothing_to_plan`, `no_such_phase`, `plan_invalid` (documents of which no valid plan can be made).
   */
  plan(
    slug: string,
    options: { readonly phase: string | null; readonly agent: string },
  ): Promise<Result<FeaturePlan, Failure> | null>;
}
