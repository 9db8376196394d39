/** What the origin tells the page about itself: the identity provider that users sign in with, if there is one. */
import { fields, optionalText, text } from '../model/wire';
import { call, type Fetch, Problem, readJSON } from './problem';

export interface ProviderSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  /** More of the authorization request, such as an audience. */
  readonly params: Readonly<Record<string, string>>;
}

/** The provider, or undefined where the page has none. */
export async function providerSettings(fetcher: Fetch): Promise<ProviderSettings | undefined> {
  let response: Response;
  try {
    response = await call(fetcher, '/config.json', { headers: { Accept: 'application/json' } });
  } catch (err) {
    if (err instanceof Problem && err.status === 404) return undefined;
    throw err;
  }
  // A static host may answer every unknown path with index.html.
  if (!(response.headers.get('Content-Type') ?? '').startsWith('application/json')) return undefined;
  const { oidc } = fields(await readJSON(response), 'config');
  if (oidc === undefined) return undefined;
  const of = fields(oidc, 'config.oidc');
  const params = of['params'] === undefined ? {} : fields(of['params'], 'config.oidc.params');
  return {
    issuer: text(of, 'issuer', 'config.oidc'),
    clientId: text(of, 'client_id', 'config.oidc'),
    scope: optionalText(of, 'scope', 'config.oidc') || 'openid',
    params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)])),
  };
}
