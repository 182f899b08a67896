import { openSync, writeSync } from 'node:fs';
import type { LogFields, LogLevel, LogSink } from '#base/log.ts';
import type { EventBus } from './events/event-bus.ts';

const order: readonly LogLevel[] = ['debug', 'info', 'warning', 'error'];

interface SinkOptions {
  /** file to append to; standard error unless given */
  readonly file?: string;
  readonly level: LogLevel;
  readonly events: EventBus;
}

/** Writes lines of key=value pairs, and hands every entry to listeners of logging events. */
export function logSink({ file, level, events }: SinkOptions): LogSink {
  const descriptor = file === undefined ? 2 : openSync(file, 'a', 0o640);
  return (entryLevel, message, fields) => {
    const context = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, textOf(value)]));
    events.emit('logging', { message, level: entryLevel, context });
    if (order.indexOf(entryLevel) < order.indexOf(level)) return;
    try {
      writeSync(descriptor, renderLine(entryLevel, message, context));
    } catch {
      // a full disk or a closed terminal must not stop the daemon
    }
  };
}

export function renderLine(level: LogLevel, message: string, context: Readonly<Record<string, string>>): string {
  const time = new Date().toISOString();
  const pairs = Object.entries(context).map(([key, value]) => ` ${key}=${quote(value)}`);
  return `time="${time}" level=${level} msg=${JSON.stringify(message)}${pairs.join('')}\n`;
}

function quote(value: string): string {
  return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
}

function textOf(value: LogFields[string]): string {
  if (value instanceof Error) return errorText(value);
  if (typeof value === 'string') return value;
  return JSON.stringify(value) ?? 'undefined';
}

function errorText(error: Error): string {
  const cause = error.cause instanceof Error ? `; caused by ${errorText(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
