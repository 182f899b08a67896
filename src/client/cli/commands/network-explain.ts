import type { NetworkExplanation } from '#api/network-explanation.ts';
import { command } from '../command.ts';

export const explainCommand = command({
  path: 'network explain',
  usage: '[<remote>:]<instance, address or network>',
  summary: 'Explain the way of packets, and where they stop',
  details: 'Looks at leases, filters, routes, rules and the firewalls of others. Exits with 1 when something is wrong.',
  examples: [
    ['network explain c1', 'Say why an instance is or is not on the network.'],
    ['network explain 10.9.8.7', 'Say whose address it is and how it is reached.'],
  ],
  run: async (session, [target = '']) => {
    const { client, name } = await session.object(target, 'instance, address or network');
    const explanations = await client.explainNetwork(name);
    session.out(renderExplanations(explanations));
    return isWell(explanations) ? 0 : 1;
  },
});

export function isWell(explanations: readonly NetworkExplanation[]): boolean {
  return explanations.every(({ findings }) => findings.every(({ ok }) => ok));
}

/** One paragraph for each NIC or network; below what is wrong, the command that helps. */
export function renderExplanations(explanations: readonly NetworkExplanation[]): string {
  return explanations
    .map(({ network, instance, device, findings }) => {
      const title =
        instance === undefined ? `Network ${network}` : `${instance} (${device ?? ''}) on network ${network}`;
      const lines = findings.flatMap(({ what, ok, text, fix }) => [
        `  ${ok ? 'ok   ' : 'WRONG'} ${what}: ${text}`,
        ...(fix === undefined ? [] : [`        try: ${fix}`]),
      ]);
      return `${title}\n${lines.join('\n')}\n`;
    })
    .join('\n');
}
