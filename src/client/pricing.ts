import type { FunctionArchitecture } from './function-options.js';

/**
 * Lambda's prices in USD in us-east-1 and most Regions, first tier, without the free tier
 * (https://aws.amazon.com/lambda/pricing/, read in November 2026).
 */
export const PRICE = {
  perGbSecond: { x86_64: 0.0000166667, arm64: 0.0000133334 },
  perRequest: 0.2 / 1_000_000,
} as const;

/** What invocations cost, in USD: an estimate, without storage, requests to S3, logs and what AWS grants for free. */
export interface CostEstimate {
  compute: number;
  requests: number;
  total: number;
}

export function estimateCost(architecture: FunctionArchitecture, gbSeconds: number, requests: number): CostEstimate {
  const compute = gbSeconds * PRICE.perGbSecond[architecture];
  const forRequests = requests * PRICE.perRequest;
  return { compute, requests: forRequests, total: compute + forRequests };
}

/** GB-seconds as Lambda counts them: memory in units of 1,024 MiB. */
export function gbSeconds(billedMs: number, memoryMiB: number): number {
  return (billedMs / 1000) * (memoryMiB / 1024);
}
