import { command, type CommandSpec } from '../command.ts';
import { isWell, renderExplanations } from './network-explain.ts';

export const commands: readonly CommandSpec[] = [
  command({
    path: 'doctor network',
    usage: '[<remote>:]',
    summary: 'Look over all networks, and say what is wrong',
    details: 'Exits with 1 when something is wrong.',
    examples: [['doctor network', 'Check gateways, routes and the firewalls of others.']],
    run: async (session, [target = '']) => {
      const { client } = await session.at(target);
      const explanations = await client.explainNetwork('');
      session.out(renderExplanations(explanations));
      return isWell(explanations) ? 0 : 1;
    },
  }),
];
