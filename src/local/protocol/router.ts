import type { IncomingHttpHeaders } from 'node:http';
import type { OperationModel } from './model.js';
import { decode, type RequestTarget } from './target.js';

/** An operation that a request asks for, with what its path says. */
export interface Match {
  readonly model: OperationModel;
  readonly labels: Readonly<Record<string, string>>;
}

/** Finds the operation that a request asks for; undefined when no operation of the service has that method and path. */
export type Router = (method: string, target: RequestTarget, headers: IncomingHttpHeaders) => Match | undefined;

interface Route {
  readonly model: OperationModel;
  /** Query parameters that the template itself demands; an empty value means any. */
  readonly literals: readonly (readonly [string, string])[];
  /** The operation that the SDK names in `x-id` where method, path and query cannot tell two apart. */
  readonly id: string | undefined;
}

/** All routes of one path template and method. */
interface Template {
  readonly pattern: RegExp;
  readonly names: readonly string[];
  readonly routes: Route[];
}

/** Routes of a REST service, by the path templates of its schemas. */
export function createRestRouter(models: Iterable<OperationModel>): Router {
  const byMethod = new Map<string, Map<string, Template>>();
  for (const model of models) {
    if (!model.http) continue;
    const [path = '/', query = ''] = model.http.uri.split('?');
    const full = `${missingLabels(model, path)}${path}`;
    const templates = byMethod.get(model.http.method) ?? new Map<string, Template>();
    byMethod.set(model.http.method, templates);
    const template = templates.get(full) ?? compile(full);
    templates.set(full, template);
    const parameters = [...new URLSearchParams(query)];
    template.routes.push({
      model,
      literals: parameters.filter(([name]) => name !== 'x-id'),
      id: parameters.find(([name]) => name === 'x-id')?.[1],
    });
  }
  const ordered = new Map(
    [...byMethod].map(([method, templates]) => [
      method,
      [...templates.values()].sort((a, b) => a.names.length - b.names.length),
    ]),
  );

  return (method, target, headers) => {
    for (const template of ordered.get(method) ?? []) {
      const match = template.pattern.exec(target.rawPath);
      const route = match && choose(template.routes, target, headers);
      if (!match || !route) continue;
      const labels = Object.fromEntries(template.names.map((name, index) => [name, decode(match[index + 1] ?? '')]));
      return { model: route.model, labels };
    }
    return undefined;
  };
}

/** Routes of a JSON 1.1 service: the operation's name is in the header `X-Amz-Target`, after the service's. */
export function createTargetRouter(models: ReadonlyMap<string, OperationModel>): Router {
  return (_method, _target, headers) => {
    const header = headers['x-amz-target'];
    const name = typeof header === 'string' ? header.slice(header.indexOf('.') + 1) : '';
    const model = models.get(name);
    return model && { model, labels: {} };
  };
}

/**
 * S3's templates do not mention the bucket, as the SDK's endpoint rules put it into the host or before the path; the
 * engine is addressed path-style.
 */
function missingLabels(model: OperationModel, path: string): string {
  return model.input.members
    .filter((member) => member.location === 'label' && !path.includes(`{${member.name}`))
    .map((member) => `/{${member.name}}`)
    .join('');
}

function compile(template: string): Template {
  const names: string[] = [];
  const source = template
    .split(/(\{\w+\+?\})/)
    .map((part) => {
      const label = /^\{(\w+)(\+?)\}$/.exec(part);
      if (!label) return part.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
      names.push(label[1] ?? '');
      return label[2] ? '(.+)' : '([^/]+)';
    })
    .join('');
  // A key may end in a slash and mean it; everywhere else a trailing slash says nothing.
  const pattern = template.endsWith('+}') ? source : source.replace(/\/$/, '');
  return { pattern: new RegExp(`^${pattern}${template.endsWith('+}') ? '' : '/?'}$`, 's'), names, routes: [] };
}

/** The most specific route whose demands are met. */
function choose(routes: readonly Route[], target: RequestTarget, headers: IncomingHttpHeaders): Route | undefined {
  let best: Route | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const route of routes) {
    const score = specificity(route, target, headers);
    if (score === undefined) continue;
    const better = score > bestScore || (score === bestScore && route.id === target.parameters.get('x-id'));
    if (better) [best, bestScore] = [route, score];
  }
  return best;
}

/**
 * Query parameters in the template weigh most (`?uploads`). Then required members tell operations apart that share a
 * template: ListParts is GetObject with an upload's ID, CopyObject is PutObject with a source. Undefined if unmet.
 */
function specificity(route: Route, target: RequestTarget, headers: IncomingHttpHeaders): number | undefined {
  const { parameters } = target;
  const met = route.literals.every(([name, value]) => (value ? parameters.get(name) === value : parameters.has(name)));
  if (!met) return undefined;
  let score = route.literals.length * 100;
  for (const member of route.model.input.members) {
    if (!member.required || (member.location !== 'query' && member.location !== 'header')) continue;
    const present = member.location === 'query' ? parameters.has(member.wireName) : member.wireName in headers;
    if (!present && route.literals.length === 0) return undefined;
    score += present ? 1 : -1;
  }
  return score;
}
