/** One thing that an action would do; a plan is a list of them, in order. */
export interface PlanStep {
  readonly action: 'create' | 'change' | 'start' | 'stop' | 'delete';
  /** such as `instance "c1"` */
  readonly object: string;
  readonly detail: string;
}

export type Plan = readonly PlanStep[];
