import { NormalizedSchema } from '@smithy/core/schema';
import type { Schemas } from './service.js';

/** Where a member of an input or output travels; Smithy's HTTP binding traits. */
export type Location = 'label' | 'query' | 'query-params' | 'header' | 'prefix-headers' | 'payload' | 'status' | 'body';

/** One member of a structure, with what the wire needs to know of it. */
export interface Member {
  readonly name: string;
  readonly schema: NormalizedSchema;
  readonly location: Location;
  /** The query parameter, or the header in lower case. */
  readonly wireName: string;
  readonly required: boolean;
  /** A payload that is not collected in memory. */
  readonly streaming: boolean;
}

/** A structure as the wire sees it. */
export interface Shape {
  readonly schema: NormalizedSchema;
  readonly members: readonly Member[];
  readonly payload: Member | undefined;
  /** The member, if there is one, whose value is a stream of events: then they are all of the body. */
  readonly events: Member | undefined;
  /** Whether some member travels in a document of its own, beside those in headers, path and query. */
  readonly hasDocument: boolean;
}

/** One operation of a service as its client package describes it. */
export interface OperationModel {
  readonly name: string;
  readonly http: { readonly method: string; readonly uri: string; readonly status: number } | undefined;
  readonly input: Shape;
  readonly output: Shape;
}

// The schemas are tuples whose first element is their kind: 9 an operation, 3 a structure, -3 an error.
const OPERATION = 9;
const ERROR = -3;
const MEMBER_NAMES = 4;
const REQUIRED_COUNT = 6;

/** Every operation that the schemas know, by name, whether or not the engine implements it. */
export function describeOperations(schemas: Schemas): ReadonlyMap<string, OperationModel> {
  const models = new Map<string, OperationModel>();
  for (const schema of Object.values(schemas)) {
    if (!Array.isArray(schema) || schema[0] !== OPERATION) continue;
    const [, , name, traits, input, output] = schema;
    models.set(name, lazyModel(name, traits.http, input, output));
  }
  return models;
}

/** The shape of an error by its name, if the schemas have it. */
export function describeError(schemas: Schemas, name: string): Shape | undefined {
  const schema = schemas[`${name}$`];
  return Array.isArray(schema) && schema[0] === ERROR ? describeShape(schema as SchemaReference) : undefined;
}

type SchemaReference = Parameters<typeof NormalizedSchema.of>[0];

/** A service has a hundred operations, a program uses ten: shapes are worked out when first needed. */
function lazyModel(
  name: string,
  http: [string, string, number] | undefined,
  inputReference: SchemaReference,
  outputReference: SchemaReference,
): OperationModel {
  let input: Shape | undefined;
  let output: Shape | undefined;
  return {
    name,
    http: http && { method: http[0], uri: http[1], status: http[2] },
    get input() {
      input ??= describeShape(inputReference);
      return input;
    },
    get output() {
      output ??= describeShape(outputReference);
      return output;
    },
  };
}

function describeShape(reference: SchemaReference): Shape {
  const schema = NormalizedSchema.of(reference);
  const required = new Set(requiredMembers(schema));
  const members = [...schema.structIterator()].map(([name, member]) =>
    describeMember(name, member, required.has(name)),
  );
  return {
    schema,
    members,
    payload: members.find((member) => member.location === 'payload'),
    events: members.find((member) => member.schema.isUnionSchema() && member.schema.isStreaming()),
    hasDocument: members.some((member) => member.location === 'body'),
  };
}

/** A structure lists its required members first and says how many they are. */
export function requiredMembers(schema: NormalizedSchema): readonly string[] {
  const raw: unknown = schema.getSchema();
  if (!Array.isArray(raw)) return [];
  return (raw[MEMBER_NAMES] as string[]).slice(0, (raw[REQUIRED_COUNT] as number | undefined) ?? 0);
}

function describeMember(name: string, schema: NormalizedSchema, required: boolean): Member {
  const traits = schema.getMergedTraits();
  const of = (location: Location, wireName = ''): Member => ({
    name,
    schema,
    location,
    wireName,
    required,
    streaming: location === 'payload' && schema.isStreaming(),
  });
  if (traits.httpLabel) return of('label');
  if (traits.httpQuery) return of('query', traits.httpQuery);
  if (traits.httpQueryParams) return of('query-params');
  if (traits.httpHeader) return of('header', traits.httpHeader.toLowerCase());
  if (typeof traits.httpPrefixHeaders === 'string') return of('prefix-headers', traits.httpPrefixHeaders.toLowerCase());
  if (traits.httpResponseCode) return of('status');
  if (traits.httpPayload) return of('payload');
  return of('body');
}
