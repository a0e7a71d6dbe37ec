/**
 * What a response may have: below the 6 MB that Lambda takes (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html), as
 * a larger one would lose the outcomes as a whole.
 */
export const MAX_RESPONSE_BYTES = 5_500_000;

/** What is kept of an outcome's message, in UTF-16 units, when a response must be cut down to what each outcome cannot do without. */
export const MIN_MESSAGE_LENGTH = 200;

/**
 * The most that an outcome takes of such a response, beside its input's names: so many objects fit into one event that a response is
 * sure to have the outcomes of all. 600 for its members and numbers at their longest, and its message, each unit of which JSON may escape.
 */
export const MIN_OUTCOME_BYTES = 600 + 6 * MIN_MESSAGE_LENGTH;
