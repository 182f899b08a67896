import { allCommands, families } from './families.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A completion script: command words are in it, names are asked from `lxd-like __complete`. */
export async function completionScript(shell: Shell): Promise<string> {
  const words = await nextWordsByPath();
  if (shell === 'bash') return bashScript(words);
  if (shell === 'zsh') return zshScript();
  return fishScript();
}

/** Words that may follow each typed beginning: "storage volume" → attach, copy … */
async function nextWordsByPath(): Promise<ReadonlyMap<string, readonly string[]>> {
  const next = new Map<string, Set<string>>();
  const add = (path: string, word: string): void => {
    next.set(path, (next.get(path) ?? new Set()).add(word));
  };
  for (const [name, family] of Object.entries(families)) if (family.listed !== false) add('', name);
  for (const spec of await allCommands()) {
    if (spec.listed === false) continue;
    const path = spec.path.split(' ');
    for (let depth = 1; depth < path.length; depth += 1) add(path.slice(0, depth).join(' '), path[depth] ?? '');
  }
  return new Map([...next].map(([path, words]) => [path, [...words].sort()]));
}

function bashScript(words: ReadonlyMap<string, readonly string[]>): string {
  const cases = [...words].map(([path, next]) => `    '${path}') candidates='${next.join(' ')}' ;;`);
  return `# bash completion for lxd-like
_lxd_like() {
  local current="\${COMP_WORDS[COMP_CWORD]}" typed='' candidates='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || typed="\${typed:+$typed }$word"
  done
  case $typed in
${cases.join('\n')}
    *) candidates=$("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) ;;
  esac
  if [[ $current == -* ]]; then
    candidates=$("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  fi
  mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
}
complete -o default -F _lxd_like lxd-like
`;
}

function zshScript(): string {
  return `#compdef lxd-like
# zsh completion for lxd-like
_lxd_like() {
  local -a candidates
  candidates=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${#candidates} )) && [[ -n \${candidates[1]} ]]; then
    compadd -- "\${candidates[@]}"
  else
    _files
  fi
}
compdef _lxd_like lxd-like
`;
}

function fishScript(): string {
  return `# fish completion for lxd-like
function __lxd_like_complete
    set -l typed (commandline -opc) (commandline -ct)
    lxd-like __complete -- $typed[2..-1] 2>/dev/null
end
complete -c lxd-like -a '(__lxd_like_complete)'
`;
}
