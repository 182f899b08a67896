/** GET /1.0/certificates/{fingerprint} */
export interface Certificate {
  readonly fingerprint: string;
  readonly name: string;
  readonly type: 'client' | 'metrics' | 'server';
  readonly restricted: boolean;
  readonly projects: readonly string[];
  /** PEM */
  readonly certificate: string;
}

/** POST /1.0/certificates */
export interface CertificatesPost {
  readonly name?: string;
  readonly type?: 'client' | 'metrics' | 'server';
  readonly restricted?: boolean;
  readonly projects?: readonly string[] | null;
  /** base64 DER, or empty for the certificate that the client presents */
  readonly certificate?: string;
  readonly password?: string;
  readonly token?: boolean;
}
