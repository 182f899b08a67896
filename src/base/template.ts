import {
  parseExpression,
  TemplateError,
  truthy,
  valueText,
  type Expression,
  type TemplateContext,
} from './template-expression.ts';

export { TemplateError, type TemplateContext, type TemplateObject, type TemplateValue } from './template-expression.ts';

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'output'; readonly expression: Expression }
  | { readonly kind: 'if'; readonly branches: { readonly condition: Expression | undefined; readonly body: Node[] }[] };

const maxOutput = 2 ** 20;
const maxDepth = 50;

/**
 * A small fixed template language: `{{ a.b }}`, `{% if %}`/`{% elif %}`/`{% else %}`/`{% endif %}`, `{# #}`, dashes
 * that trim white space, comparisons, and/or/not, filters and functions that the caller passes. There are no loops,
 * no files and no way to reach anything but own members of the given values, so text of strangers can be rendered.
 * Throws TemplateError for wrong syntax, and for more than 1 MiB of template or output.
 */
export function renderTemplate(template: string, context: TemplateContext): string {
  if (template.length > maxOutput) throw new TemplateError('The template is larger than 1 MiB');
  const parts: string[] = [];
  let length = 0;
  const write = (text: string): void => {
    length += text.length;
    if (length > maxOutput) throw new TemplateError('The template renders to more than 1 MiB');
    parts.push(text);
  };
  render(parse(template), context, write);
  return parts.join('');
}

function render(nodes: readonly Node[], context: TemplateContext, write: (text: string) => void): void {
  for (const node of nodes) {
    if (node.kind === 'text') write(node.text);
    else if (node.kind === 'output') write(valueText(node.expression(context)));
    else {
      const branch = node.branches.find(({ condition }) => !condition || truthy(condition(context)));
      if (branch) render(branch.body, context, write);
    }
  }
}

interface Tag {
  readonly kind: 'text' | '{{' | '{%';
  readonly text: string;
}

function parse(template: string): Node[] {
  const root: Node[] = [];
  const open: { readonly node: Extract<Node, { kind: 'if' }>; closed: boolean }[] = [];
  let body = root;
  for (const tag of tags(template)) {
    if (tag.kind === 'text') body.push({ kind: 'text', text: tag.text });
    else if (tag.kind === '{{') body.push({ kind: 'output', expression: parseExpression(tag.text) });
    else {
      const [word, rest] = splitWord(tag.text);
      const top = open.at(-1);
      if (word === 'if') {
        const inner: Node[] = [];
        const node: Extract<Node, { kind: 'if' }> = {
          kind: 'if',
          branches: [{ condition: parseExpression(rest), body: inner }],
        };
        body.push(node);
        if (open.push({ node, closed: false }) > maxDepth) throw new TemplateError('"if" is nested too deeply');
        body = inner;
      } else if ((word === 'elif' || (word === 'else' && rest === '')) && top && !top.closed) {
        const inner: Node[] = [];
        top.node.branches.push({ condition: word === 'else' ? undefined : parseExpression(rest), body: inner });
        top.closed = word === 'else';
        body = inner;
      } else if (word === 'endif' && rest === '' && top) {
        open.pop();
        body = open.at(-1)?.node.branches.at(-1)?.body ?? root;
      } else
        throw new TemplateError(`The tag ${JSON.stringify(tag.text.slice(0, 50))} is not known or not allowed there`);
    }
  }
  if (open.length > 0) throw new TemplateError('An "if" has no "endif"');
  return root;
}

function splitWord(text: string): readonly [string, string] {
  const space = text.search(/\s/);
  return space < 0 ? [text, ''] : [text.slice(0, space), text.slice(space).trim()];
}

function* tags(template: string): Generator<Tag> {
  const opening = /\{\{|\{%|\{#/g;
  let start = 0;
  let trimNext = false;
  const text = (end: number, trimEnd: boolean): Tag => {
    let part = template.slice(start, end);
    if (trimNext) part = part.trimStart();
    if (trimEnd) part = part.trimEnd();
    return { kind: 'text', text: part };
  };
  for (;;) {
    opening.lastIndex = start;
    const found = opening.exec(template);
    if (!found) break;
    const kind = found[0] as '{{' | '{%' | '{#';
    const close = { '{{': '}}', '{%': '%}', '{#': '#}' }[kind];
    const end = closingOf(template, found.index + 2, close, kind !== '{#');
    let inner = template.slice(found.index + 2, end);
    const trimBefore = inner.startsWith('-');
    if (trimBefore) inner = inner.slice(1);
    yield text(found.index, trimBefore);
    trimNext = inner.endsWith('-');
    if (trimNext) inner = inner.slice(0, -1);
    start = end + 2;
    if (kind !== '{#') yield { kind, text: inner.trim() };
  }
  yield text(template.length, false);
}

/** Where a tag ends; closing marks inside quotes do not count. */
function closingOf(template: string, from: number, close: string, quotes: boolean): number {
  let quote = '';
  for (let index = from; index < template.length; index += 1) {
    const character = template[index] ?? '';
    if (quote !== '') {
      if (character === '\\') index += 1;
      else if (character === quote) quote = '';
    } else if (quotes && (character === '"' || character === "'")) quote = character;
    else if (template.startsWith(close, index)) return index;
  }
  throw new TemplateError(`A tag has no closing "${close}"`);
}
