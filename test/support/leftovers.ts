import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { GetPolicyCommand, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import {
  GetBucketNotificationConfigurationCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import type { ScarClient } from '../../src/index.js';

/** All that there is in an account, one line each: functions and their policies, log groups, buckets and what is in them. */
export async function inventory({ lambda, s3, logs }: ScarClient): Promise<string[]> {
  const lines: string[] = [];
  for (const { FunctionName } of (await lambda.send(new ListFunctionsCommand({}))).Functions ?? []) {
    lines.push(`function ${FunctionName}`);
    const policy = await lambda.send(new GetPolicyCommand({ FunctionName })).catch(() => undefined);
    if (policy) lines.push(`policy of ${FunctionName}: ${policy.Policy}`);
  }
  const { logGroups } = await logs.send(new DescribeLogGroupsCommand({}));
  for (const { logGroupName } of logGroups ?? []) lines.push(`log group ${logGroupName}`);
  for (const { Name: Bucket } of (await s3.send(new ListBucketsCommand({}))).Buckets ?? []) {
    lines.push(`bucket ${Bucket}`);
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }));
    for (const { Key, Size } of Contents ?? []) lines.push(`s3://${Bucket}/${Key} (${Size})`);
    const { Uploads } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
    for (const { Key } of Uploads ?? []) lines.push(`upload s3://${Bucket}/${Key}`);
    const rules = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }));
    for (const { Id } of rules.LambdaFunctionConfigurations ?? []) lines.push(`notification ${Id} of ${Bucket}`);
  }
  return lines;
}

/**
 * Processes that work for an engine whose temporary files are below a folder, this one not among them: `pid command`.
 * They name a path below it in their arguments or variables, or, as the containers' do, run a program from there.
 */
export function processesBelow(folder: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const traces = [command, readFileSync(`/proc/${pid}/environ`, 'utf8'), readlinkSync(`/proc/${pid}/exe`)];
      if (traces.some((trace) => trace.includes(`${folder}/`))) found.push(`${pid} ${command}`);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** What stays of a container's folder for the next one: empty folders, and a file without a bit in it. */
const KEPT = /^(owners|shm|tmp|request(\/(input|output))?)$/;

/** What containers left below a folder, in `<tmp>/scar/run/<supervisor>/<number>`. */
export function containerLeftovers(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const [, left] = /(?:^|\/)scar\/run\/[^/]+\/\d+\/(.+)$/.exec(path) ?? [];
    if (left === undefined) return false;
    const file = join(folder, path);
    if (left === 'owners') return readFileSync(file).some((byte) => byte !== 0);
    return !KEPT.test(left) || !statSync(file).isDirectory();
  });
}
