import { list, text } from '../command.ts';

/** Options of everything that makes an instance of files from elsewhere. */
export const arrivalOptions = {
  config: list('-c,--config', 'Config key/value to apply to the new instance'),
  profile: list('-p,--profile', 'Profile to apply to the new instance'),
  storage: text('-s,--storage', 'Storage pool name'),
} as const;
