/** GET /1.0/warnings/{uuid} */
export interface Warning {
  readonly uuid: string;
  readonly location: string;
  readonly project: string;
  readonly type: string;
  readonly count: number;
  readonly first_seen_at: string;
  readonly last_seen_at: string;
  readonly last_message: string;
  readonly severity: string;
  readonly status: 'new' | 'acknowledged' | 'resolved';
  /** URL of what it is about, or empty */
  readonly entity_url: string;
}
