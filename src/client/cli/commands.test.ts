import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScript, shells } from './completion-scripts.ts';
import { allCommands, families, familyOf } from './families.ts';
import { commandHelp, helpFor } from './help.ts';
import { checkArguments, normalise } from './parse.ts';
import { suggestion } from './suggestion.ts';

const commands = await allCommands();

test('every command begins with the word that loads it', async () => {
  for (const [word, family] of Object.entries(families)) {
    const { commands } = await family.load();
    expect(
      commands.some(spec => spec.path.split(' ')[0] === word),
      word,
    ).toBe(true);
  }
  for (const spec of commands) expect(familyOf(spec.path.split(' ')[0] ?? ''), spec.path).toBeDefined();
});

test.each(commands.map(spec => [spec.path, spec] as const))(
  '%s has a summary, help and examples that parse',
  (_path, spec) => {
    expect(spec.summary).not.toBe('');
    expect(spec.examples.length).toBeGreaterThan(0);
    expect(commandHelp(spec)).toContain('Examples:');
    for (const [line] of spec.examples) {
      const words = (line.replace(/\s[<>]\s.*$/, '').match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map(word =>
        word.replace(/^(["'])(.*)\1$/, '$2'),
      );
      const depth = spec.path.split(' ').length;
      expect(words.slice(0, depth).join(' ')).toBe(spec.path);
      const input = normalise(spec, words.slice(depth));
      checkArguments(spec, input.slice(input.indexOf('--') + 1));
    }
  },
);

test('no two commands share a path, and no option name is given twice', () => {
  expect(new Set(commands.map(spec => spec.path)).size).toBe(commands.length);
  for (const spec of commands) {
    const names = Object.values(spec.options ?? {}).flatMap(option => option.names.split(','));
    expect(new Set(names).size, spec.path).toBe(names.length);
  }
});

test('help knows groups, aliases of commands and what is near an unknown word', async () => {
  expect(await helpFor(['storage', 'volume'])).toContain('Restore storage volume snapshots');
  expect(await helpFor(['profile', 'ls'])).toContain('lxd-like profile list');
  await expect(helpFor(['lisst'])).rejects.toThrow('did you mean "list"');
  expect(suggestion('zzzz', ['list'])).toBe('');
});

test.each(shells)('the %s completion script is one that the shell reads', async shell => {
  const script = await completionScript(shell);
  const { error, status, stderr } = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
  if (error) return; // the shell is not on this machine
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
