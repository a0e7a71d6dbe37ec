/**
 * Follows a function's log until it is stopped.
 *
 * @param {import('scar-client').ScarClient} scar
 * @param {string} name
 * @param {(line: string) => void} onLine
 */
export function followLog(scar, name, onLine) {
  const stopped = new AbortController();
  const following = (async () => {
    try {
      for await (const { message } of scar.streamLogs(name, { follow: true, signal: stopped.signal })) {
        onLine(message.trimEnd());
      }
    } catch (error) {
      if (!stopped.signal.aborted) throw error;
    }
  })();
  // Reported by `stop`; until then it must not count as unhandled.
  following.catch(() => {});
  return {
    async stop() {
      stopped.abort();
      await following;
    },
  };
}
