/**
 * Variables that the container sees, beside the image's ENV and the user's own. The names are SCAR's, of all its
 * versions, because users' scripts know them.
 */
export const CONTAINER_VARIABLES = {
  /** The invocation's request ID (the paper). */
  requestId: ['REQUEST_ID'],
  /** Absolute path of the staged input: `/tmp/$REQUEST_ID/input/<file>` (the paper; 1.0). */
  inputFile: ['SCAR_INPUT_FILE', 'INPUT_FILE_PATH'],
  /** `/tmp/$REQUEST_ID/input` (1.0). */
  inputDirectory: ['TMP_INPUT_DIR'],
  /** `/tmp/$REQUEST_ID/output`, where outputs are collected (v1; 1.0). */
  outputDirectory: ['SCAR_OUTPUT_DIR', 'TMP_OUTPUT_DIR'],
  objectKey: ['STORAGE_OBJECT_KEY'],
  /** Which part of its object the input is, from 0 on, and of how many. Set only if the object was split, as are the next two. */
  chunkIndex: ['SCAR_CHUNK_INDEX'],
  chunkCount: ['SCAR_CHUNK_COUNT'],
  /** Where the input's bytes are in the object; the end is not included. */
  chunkStart: ['SCAR_CHUNK_START'],
  chunkEnd: ['SCAR_CHUNK_END'],
  eventTime: ['EVENT_TIME'],
  /**
   * The event as JSON, as if this container's record had come alone. Not set for an event above 128 KiB, which is Linux's
   * limit of a variable: `/tmp/$REQUEST_ID/event.json` always has it.
   */
  event: ['EVENT'],
  /** IPv4 address of the execution environment (v1). */
  instanceIp: ['INSTANCE_IP'],
  /** `/var/task/extra`: the package's folder `extra/`, where users put further files (v1). Not set if there is none. */
  extraPayload: ['EXTRA_PAYLOAD'],
} as const;

/**
 * The function's variables that the container gets as they are: its credentials (the paper, section 3), its Region, and
 * where AWS is if not at its usual addresses, so that an AWS CLI in the container talks to the embedded engine on a laptop.
 */
export const CREDENTIAL_VARIABLES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
] as const;

/** Folders of one invocation below `/tmp/$REQUEST_ID` (the paper, section 3). */
export const INPUT_FOLDER = 'input';
export const OUTPUT_FOLDER = 'output';
