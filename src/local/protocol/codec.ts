import { XmlCodec } from '@aws-sdk/core/protocols';
import { JsonCodec2 } from '@smithy/core/protocols';
import type { NormalizedSchema } from '@smithy/core/schema';
import { fromBase64, fromUtf8, toBase64, toUtf8 } from '@smithy/core/serde';
import { type Protocol, ServiceError } from './service.js';

/** Reads and writes the documents of a protocol. */
export interface DocumentCodec {
  readonly contentType: string;
  /** @throws ServiceError for a document that is not well-formed, named as the protocol's services name it. */
  read(schema: NormalizedSchema, bytes: Buffer): Promise<unknown>;
  write(schema: NormalizedSchema, value: object): Buffer;
  /** The error for a member that is not of its type. */
  mismatch(path: string, type: string): ServiceError;
  /** The error for a required member that is not there. */
  missing(path: string): ServiceError;
}

// Smithy's numbers for timestamp formats: 5 is RFC 3339, 7 seconds since the epoch.
const RFC3339 = 5;
const EPOCH_SECONDS = 7;

const serde = {
  base64Decoder: fromBase64,
  base64Encoder: toBase64,
  utf8Decoder: fromUtf8,
  utf8Encoder: toUtf8,
} as Parameters<XmlCodec['setSerdeContext']>[0];

const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** The codec of a protocol. */
export function createCodec(protocol: Protocol): DocumentCodec {
  return protocol === 'rest-xml' ? xmlCodec() : jsonCodec(protocol);
}

function xmlCodec(): DocumentCodec {
  const codec = new XmlCodec({
    httpBindings: true,
    xmlNamespace: S3_NAMESPACE,
    serviceNamespace: 'com.amazonaws.s3',
    timestampFormat: { useTrait: true, default: RFC3339 },
  });
  codec.setSerdeContext(serde);
  return {
    contentType: 'application/xml',
    async read(schema, bytes) {
      try {
        return codec.createDeserializer().read(schema, bytes);
      } catch {
        throw malformedXml('it could not be parsed');
      }
    },
    write(schema, value) {
      const serializer = codec.createSerializer();
      serializer.write(schema, value);
      return Buffer.from(`${XML_DECLARATION}${serializer.flush()}`);
    },
    mismatch: (path, type) => malformedXml(`${path} must be ${type}`),
    missing: (path) => malformedXml(`${path} is missing`),
  };
}

function malformedXml(detail: string): ServiceError {
  const message = 'The XML you provided was not well-formed or did not validate against our published schema';
  return new ServiceError('MalformedXML', 400, `${message}: ${detail}`);
}

function jsonCodec(protocol: Protocol): DocumentCodec {
  const codec = new JsonCodec2({
    httpBindings: protocol === 'rest-json',
    jsonName: protocol === 'rest-json',
    timestampFormat: { useTrait: true, default: EPOCH_SECONDS },
  });
  codec.setSerdeContext(serde);
  return {
    contentType: protocol === 'rest-json' ? 'application/json' : 'application/x-amz-json-1.1',
    async read(schema, bytes) {
      try {
        return await codec.createDeserializer().read(schema, bytes.toString('utf8'));
      } catch {
        throw new ServiceError('SerializationException', 400, 'Could not parse request body into json.');
      }
    },
    write(schema, value) {
      const serializer = codec.createSerializer();
      serializer.write(schema, value);
      const bytes = serializer.flush();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    mismatch: (path, type) => new ServiceError('SerializationException', 400, `${path} must be ${type}`),
    missing(path) {
      const constraint = 'failed to satisfy constraint: Member must not be null';
      const message = `1 validation error detected: Value null at '${path}' ${constraint}`;
      return new ServiceError('ValidationException', 400, message);
    },
  };
}
