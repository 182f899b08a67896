/** metadata.yaml of an image, as instances keep it. */
export interface ImageMetadata {
  readonly architecture: string;
  /** seconds since 1970 */
  readonly creation_date: number;
  /** seconds since 1970; 0 = never */
  readonly expiry_date: number;
  readonly properties: Readonly<Record<string, string>>;
  /** by path in the instance */
  readonly templates: Readonly<Record<string, ImageMetadataTemplate>>;
}

export type ImageMetadataPut = Partial<ImageMetadata>;

export interface ImageMetadataTemplate {
  /** "create", "copy", "rename", "start" */
  readonly when: readonly string[];
  readonly create_only: boolean;
  /** name of the template file */
  readonly template: string;
  readonly properties: Readonly<Record<string, string>>;
}
