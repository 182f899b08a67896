export type TemplateValue = string | number | boolean | undefined | TemplateObject;
export interface TemplateObject {
  readonly [key: string]: TemplateValue;
}

export interface TemplateContext {
  readonly values: TemplateObject;
  readonly functions: Readonly<Record<string, (...args: readonly TemplateValue[]) => TemplateValue>>;
}

export class TemplateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TemplateError';
  }
}

export type Expression = (context: TemplateContext) => TemplateValue;

const token = /\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(\d{1,15}(?:\.\d{1,15})?)|([A-Za-z_][A-Za-z0-9_]*)|(==|!=|<=|>=|&&|\|\||[<>!().,:|[\]]))/y;
const maxTokens = 1000;
const maxDepth = 50;

const filters: Readonly<Record<string, (value: TemplateValue, argument: TemplateValue) => TemplateValue>> = {
  lower: value => valueText(value).toLowerCase(),
  upper: value => valueText(value).toUpperCase(),
  trim: value => valueText(value).trim(),
  length: value => valueText(value).length,
  safe: value => value,
  default: (value, argument) => (truthy(value) ? value : argument),
};

/** Throws TemplateError for wrong syntax. */
export function parseExpression(text: string): Expression {
  const parser = new Parser(text);
  const expression = parser.or();
  parser.end();
  return expression;
}

export function truthy(value: TemplateValue): boolean {
  return value !== undefined && value !== '' && value !== 0 && value !== false;
}

export function valueText(value: TemplateValue): string {
  if (value === undefined || typeof value === 'object') return '';
  if (typeof value === 'boolean') return value ? 'True' : 'False'; // as pongo2 prints them
  return String(value);
}

class Parser {
  readonly #tokens: string[] = [];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    token.lastIndex = 0;
    const trimmed = text.trimEnd();
    while (token.lastIndex < trimmed.length) {
      const at = token.lastIndex;
      const match = token.exec(trimmed);
      if (!match || this.#tokens.length >= maxTokens)
        throw new TemplateError(`Wrong expression at ${JSON.stringify(trimmed.slice(at, at + 30))}`);
      this.#tokens.push(match[0].trim());
    }
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw this.#unexpected();
  }

  or(): Expression {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new TemplateError('An expression is nested too deeply');
    let left = this.#and();
    while (this.#take('or', '||')) {
      const [first, second] = [left, this.#and()];
      left = context => truthy(first(context)) || truthy(second(context));
    }
    this.#depth -= 1;
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#take('and', '&&')) {
      const [first, second] = [left, this.#not()];
      left = context => truthy(first(context)) && truthy(second(context));
    }
    return left;
  }

  #not(): Expression {
    let negate = false;
    while (this.#take('not', '!')) negate = !negate;
    const inner = this.#comparison();
    return negate ? context => !truthy(inner(context)) : inner;
  }

  #comparison(): Expression {
    const left = this.#filtered();
    const operator = this.#take('==', '!=', '<=', '>=', '<', '>');
    if (operator === undefined) return left;
    const right = this.#filtered();
    return context => compare(operator, left(context), right(context));
  }

  #filtered(): Expression {
    let value = this.#primary();
    while (this.#take('|')) {
      const name = this.#take() ?? '';
      const filter = Object.hasOwn(filters, name) ? filters[name] : undefined;
      if (!filter) throw new TemplateError(`Filter ${JSON.stringify(name.slice(0, 50))} is not known`);
      const argument = this.#take(':') ? this.#primary() : undefined;
      const inner = value;
      value = context => filter(inner(context), argument?.(context));
    }
    return value;
  }

  #primary(): Expression {
    const text = this.#take() ?? '';
    if (text === '(') {
      const inner = this.or();
      this.#expect(')');
      return inner;
    }
    if (text.startsWith('"') || text.startsWith("'")) return constant(unquote(text));
    if (/^\d/.test(text)) return constant(Number(text));
    if (text === 'true' || text === 'True') return constant(true);
    if (text === 'false' || text === 'False') return constant(false);
    if (!/^[A-Za-z_]/.test(text)) throw this.#unexpected();
    return this.#take('(') ? this.#call(text) : this.#members(text);
  }

  #call(name: string): Expression {
    const args: Expression[] = [];
    if (!this.#take(')')) {
      do args.push(this.or());
      while (this.#take(','));
      this.#expect(')');
    }
    return ({ functions, ...rest }) => {
      const called = Object.hasOwn(functions, name) ? functions[name] : undefined;
      if (!called) throw new TemplateError(`Function "${name}" is not known`);
      return called(...args.map(argument => argument({ functions, ...rest })));
    };
  }

  #members(first: string): Expression {
    const keys: Expression[] = [constant(first)];
    for (;;) {
      if (this.#take('.')) {
        const name = this.#take() ?? '';
        if (!/^\w+$/.test(name)) throw this.#unexpected();
        keys.push(constant(name));
      } else if (this.#take('[')) {
        keys.push(this.or());
        this.#expect(']');
      } else break;
    }
    return context => {
      let value: TemplateValue = context.values;
      for (const key of keys) {
        const name = valueText(key(context));
        value = typeof value === 'object' && Object.hasOwn(value, name) ? value[name] : undefined;
      }
      return value;
    };
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#unexpected();
  }

  /** Takes the next token when it is one of these, or whatever it is when none are given. */
  #take(...wanted: readonly string[]): string | undefined {
    const next = this.#tokens[this.#next];
    if (next === undefined || (wanted.length > 0 && !wanted.includes(next))) return undefined;
    this.#next += 1;
    return next;
  }

  #unexpected(): TemplateError {
    const near = this.#tokens[this.#next] ?? this.#tokens.at(-1) ?? '';
    return new TemplateError(`Wrong expression near ${JSON.stringify(near.slice(0, 50))}`);
  }
}

function constant(value: TemplateValue): Expression {
  return () => value;
}

function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/gs, (_match, character: string) => (character === 'n' ? '\n' : character));
}

function compare(operator: string, left: TemplateValue, right: TemplateValue): boolean {
  if (operator === '==' || operator === '!=') {
    const same = typeof left === typeof right ? left === right : valueText(left) === valueText(right);
    return same === (operator === '==');
  }
  const [a, b] = [Number(valueText(left)), Number(valueText(right))];
  if (operator === '<') return a < b;
  if (operator === '<=') return a <= b;
  return operator === '>' ? a > b : a >= b;
}
