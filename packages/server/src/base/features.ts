/** What the outside may ask of the features of a project. */
import type { FeatureList, FeatureView } from '@ccdash/api';

export interface Features {
  /** By slug; as the documents are now. */
  list(): Promise<FeatureList>;
  find(slug: string): Promise<FeatureView | null>;
}
