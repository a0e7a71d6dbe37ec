/** One function that wants to hear of a bucket's events. */
export interface NotificationRule {
  readonly id: string;
  readonly functionArn: string;
  /** E.g. `s3:ObjectCreated:*`. */
  readonly events: readonly string[];
  readonly prefix?: string;
  readonly suffix?: string;
}

/** Whether a rule wants an event such as `s3:ObjectCreated:Put` of a key. */
export function wants(rule: NotificationRule, event: string, key: string): boolean {
  const named = rule.events.some((wanted) => covers(wanted, event));
  return named && key.startsWith(rule.prefix ?? '') && key.endsWith(rule.suffix ?? '');
}

/** Whether two rules could both want the same event, which S3 does not allow. */
export function overlap(a: NotificationRule, b: NotificationRule): boolean {
  const sharesEvent = a.events.some((x) => b.events.some((y) => covers(x, y) || covers(y, x)));
  const sharesPrefix = nested(a.prefix ?? '', b.prefix ?? '', (longer, shorter) => longer.startsWith(shorter));
  const sharesSuffix = nested(a.suffix ?? '', b.suffix ?? '', (longer, shorter) => longer.endsWith(shorter));
  return sharesEvent && sharesPrefix && sharesSuffix;
}

function covers(wanted: string, event: string): boolean {
  return wanted.endsWith('*') ? event.startsWith(wanted.slice(0, -1)) : wanted === event;
}

function nested(a: string, b: string, holds: (longer: string, shorter: string) => boolean): boolean {
  return a.length >= b.length ? holds(a, b) : holds(b, a);
}
