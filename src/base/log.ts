export type LogLevel = 'debug' | 'info' | 'warning' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log; `error` values in fields are printed with their cause. Never holds secrets. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warning(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogSink = (level: LogLevel, message: string, fields: LogFields) => void;

export function createLog(sink: LogSink): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      sink(level, message, fields);
  return { debug: at('debug'), info: at('info'), warning: at('warning'), error: at('error') };
}

/** For tests and for callers that have nowhere to write. */
export const silentLog: Log = createLog(() => undefined);
