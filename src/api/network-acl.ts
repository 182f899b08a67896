import type { ConfigMap } from './common.ts';

/** One rule of an access list; an empty member means "any". */
export interface NetworkAclRule {
  readonly action: string;
  /** addresses, subnets, ranges and names of subjects, separated by commas */
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: string;
  /** ports and ranges, separated by commas */
  readonly source_port?: string;
  readonly destination_port?: string;
  readonly icmp_type?: string;
  readonly icmp_code?: string;
  readonly description?: string;
  readonly state: string;
}

export interface NetworkAclPut {
  readonly description?: string;
  readonly egress?: readonly NetworkAclRule[] | null;
  readonly ingress?: readonly NetworkAclRule[] | null;
  readonly config?: ConfigMap | null;
}

export interface NetworkAclsPost extends NetworkAclPut {
  readonly name: string;
}

/** GET /1.0/network-acls/{name} */
export interface NetworkAcl {
  readonly name: string;
  readonly description: string;
  readonly egress: readonly NetworkAclRule[];
  readonly ingress: readonly NetworkAclRule[];
  readonly config: ConfigMap;
  readonly used_by: readonly string[];
}
