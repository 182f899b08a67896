import { defineKeys } from '#base/config-schema.ts';

export const dirKeys = defineKeys({
  source: { type: 'string', summary: 'Empty folder; by default one in the state directory' },
});
