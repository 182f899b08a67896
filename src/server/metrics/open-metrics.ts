/** A metric of the OpenMetrics text format (RFC-like specification 1.0) with its samples. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** Metrics without samples are left out; labels are in alphabetical order. */
export function renderMetrics(metrics: readonly Metric[]): string {
  const parts = metrics.filter(({ samples }) => samples.length > 0).map(renderMetric);
  return `${parts.join('')}# EOF\n`;
}

function renderMetric({ name, help, type, samples }: Metric): string {
  const lines = samples.map(({ labels, value }) => `${name}{${renderLabels(labels)}} ${renderValue(value)}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `${name}="${escape(value)}"`)
    .join(',');
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function renderValue(value: number): string {
  return value === Infinity ? '+Inf' : String(value);
}
