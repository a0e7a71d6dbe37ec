import { FunctionError, ScarError, type ScarErrorCode } from '../../errors.js';
import type { InvocationResult } from '../invocation-result.js';
import type { MapItem } from './item.js';

/** An item as a journal has it: errors are data, and the log of a success is left out. */
export type StoredItem = Omit<InvocationResult, 'error' | 'reason'> & { reason?: string; error?: StoredError };

interface StoredError {
  code: string;
  message: string;
  context: Record<string, unknown>;
  retryable: boolean;
}

export function storeItem(item: InvocationResult): StoredItem {
  if (item.status === 'succeeded') return { ...item, logs: '' };
  const { code, message, context, retryable } = item.error;
  return { ...item, error: { code, message, context, retryable } };
}

export function restoreItem(stored: StoredItem): MapItem {
  if (!stored.error) return stored as unknown as MapItem;
  const { code, message, context, retryable } = stored.error;
  const Kind = code === 'invocation-failed' ? FunctionError : ScarError;
  return { ...stored, error: new Kind(code as ScarErrorCode, message, { context, retryable }) } as unknown as MapItem;
}
