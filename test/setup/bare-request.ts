import { request } from 'node:http';

export interface BareAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** With the path and the headers as they are: `fetch` tidies the one, sets some of the others, and lets nobody set `origin`. */
export function bareRequest(
  { origin }: URL,
  path: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<BareAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(origin, { path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
      );
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
