import { describe, expect, test } from 'vitest';
import { renderTemplate, TemplateError, type TemplateContext } from './template.ts';

const config: Readonly<Record<string, string>> = { 'user.a': 'from config', 'user.empty': '' };
const context: TemplateContext = {
  values: {
    container: { name: 'c1', privileged: false },
    instance: { name: 'c1', type: 'container' },
    properties: { default: 'from properties' },
    config,
  },
  functions: {
    config_get: (key, otherwise) => {
      const name = typeof key === 'string' ? key : '';
      return Object.hasOwn(config, name) ? config[name] : otherwise;
    },
  },
};
const render = (template: string): string => renderTemplate(template, context);

describe('renderTemplate()', () => {
  test.each([
    ['{{ container.name }}\n', 'c1\n'],
    ['{{container.name|upper}}', 'C1'],
    ['{{ config_get("user.a", "x") }}', 'from config'],
    ['{{ config_get("user.b", properties.default) }}', 'from properties'],
    ['{{ config["user.a"] }}', 'from config'],
    ['{{ config_get("user.b", "line\\nline") }}', 'line\nline'],
    ['{{ nothing.at.all }}', ''],
    ['{{ nothing|default:"d" }}', 'd'],
    ['{% if container.privileged %}yes{% else %}no{% endif %}', 'no'],
    ['{% if instance.type == "container" and not container.privileged %}ok{% endif %}', 'ok'],
    ['{% if config_get("user.empty", "") == "" %}empty{% elif 1 %}one{% endif %}', 'empty'],
    ['a {# }} comment #} b', 'a  b'],
    ['a  {{- container.name -}}  b', 'ac1b'],
    ['{{ "}}" }}', '}}'],
    ['{% if 1 %}a{% if 0 %}b{% endif %}c{% endif %}d', 'acd'],
    ['no tags } { %', 'no tags } { %'],
  ])('renders %j', (template, text) => {
    expect(render(template)).toBe(text);
  });

  test.each([
    '{% include "/etc/shadow" %}',
    '{% ssi "/etc/shadow" %}',
    '{% extends "x" %}',
    '{% import "x" %}',
    '{% for x in y %}{% endfor %}',
    '{{ open("/etc/shadow") }}',
    '{{ container.name|unknown }}',
    '{{ container.name',
    '{% if 1 %}',
    '{% endif %}',
    '{% else %}',
    '{% if 1 %}{% else %}{% else %}{% endif %}',
    '{{ ( }}',
    '{{ a b }}',
    `${'{% if 1 %}'.repeat(60)}${'{% endif %}'.repeat(60)}`,
    `{{ ${'('.repeat(5000)} }}`,
  ])('refuses %.40j', template => {
    expect(() => render(template)).toThrow(TemplateError);
  });

  test('reaches own members only', () => {
    expect(render('{{ container.constructor }}{{ container.__proto__.x }}{{ constructor.name }}')).toBe('');
    expect(() => render('{{ constructor("x") }}')).toThrow(TemplateError);
    expect(() => render('{{ toString() }}')).toThrow(TemplateError);
  });

  test('keeps its output within bounds', () => {
    const big = 'x'.repeat(300_000);
    const values = { big };
    expect(() => renderTemplate('{{ big }}'.repeat(4), { values, functions: {} })).toThrow(/1 MiB/);
    expect(() => render('x'.repeat(2 ** 20 + 1))).toThrow(/1 MiB/);
  });
});
