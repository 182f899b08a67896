const minuteMs = 60_000;
/** Minutes that are made up for after the host or the daemon was held up. */
const mostMissed = 10;

/** Gives each minute once, though it is asked at any time: also those that passed since the last question. */
export class MinuteClock {
  #last: number | undefined;

  /** Starts of the minutes that are due, oldest first; at the first question that of the current one. */
  due(now: Date): readonly Date[] {
    const current = Math.floor(now.getTime() / minuteMs);
    const first = Math.max((this.#last ?? current - 1) + 1, current - mostMissed + 1);
    this.#last = Math.max(current, this.#last ?? current);
    const minutes: Date[] = [];
    for (let minute = first; minute <= current; minute += 1) minutes.push(new Date(minute * minuteMs));
    return minutes;
  }
}
