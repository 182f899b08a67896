/** One thing that was looked at on the way of packets. */
export interface NetworkFinding {
  /** such as "lease", "filter" or "firewall" */
  readonly what: string;
  readonly ok: boolean;
  /** what was found, in a sentence */
  readonly text: string;
  /** the command that helps, when something is wrong */
  readonly fix?: string;
}

/** GET /1.0/network-explanations/{instance, address or network}; an extension of ours */
export interface NetworkExplanation {
  readonly network: string;
  /** absent for the network as a whole */
  readonly instance?: string;
  readonly device?: string;
  readonly findings: readonly NetworkFinding[];
}
