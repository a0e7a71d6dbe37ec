import type { HeadObjectCommand } from '@aws-sdk/client-s3';

/** Has a command note when its answer was made, by the clock of who made it: the `Date` header, which the SDK keeps to itself. */
export function dateOfAnswer(command: HeadObjectCommand): { date: Date | undefined } {
  const answered: { date: Date | undefined } = { date: undefined };
  command.middlewareStack.add(
    (next) => async (request) => {
      const result = await next(request);
      const { headers } = result.response as { headers: Record<string, string | undefined> };
      if (headers.date !== undefined) answered.date = new Date(headers.date);
      return result;
    },
    { step: 'deserialize' },
  );
  return answered;
}
