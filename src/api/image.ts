export interface ImageAlias {
  readonly name: string;
  readonly description: string;
}

/** GET /1.0/images/{fingerprint}; size in bytes */
export interface Image {
  readonly fingerprint: string;
  readonly filename: string;
  readonly size: number;
  readonly public: boolean;
  readonly auto_update: boolean;
  readonly cached: boolean;
  readonly architecture: string;
  readonly type: 'container';
  readonly created_at: string;
  readonly expires_at: string;
  readonly last_used_at: string;
  readonly uploaded_at: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
  readonly aliases: readonly ImageAlias[];
  readonly update_source?: {
    readonly alias: string;
    readonly certificate: string;
    readonly protocol: string;
    readonly server: string;
    readonly image_type: string;
  };
}

export interface ImagePut {
  readonly auto_update?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
  readonly public?: boolean;
  readonly expires_at?: string;
  readonly profiles?: readonly string[];
}

/** GET /1.0/images/aliases/{name} */
export interface ImageAliasEntry {
  readonly name: string;
  readonly description: string;
  readonly target: string;
  readonly type: 'container';
}
