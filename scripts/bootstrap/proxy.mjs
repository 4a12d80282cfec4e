// HTTP_PROXY, HTTPS_PROXY and NO_PROXY: Node 20's own clients do not read them.
import http from 'node:http';
import tls from 'node:tls';

/** The proxy for an address as the environment names it; undefined for none. */
export function proxyFor(url, env = process.env) {
  const { protocol, hostname } = url;
  const exempt = (env.NO_PROXY ?? env.no_proxy ?? '')
    .split(',')
    .map((entry) => entry.trim().replace(/^\*?\./, ''));
  if (exempt.some((entry) => entry === '*' || (entry !== '' && `.${hostname}`.endsWith(`.${entry}`))))
    return undefined;
  const named =
    protocol === 'https:' ? (env.HTTPS_PROXY ?? env.https_proxy) : (env.HTTP_PROXY ?? env.http_proxy);
  if (named === undefined || named === '') return undefined;
  return new URL(named.includes('://') ? named : `http://${named}`);
}

function authorisation({ username, password }) {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Options of a plain HTTP request that goes to the proxy with the whole address. */
export function forwarded(url, proxy) {
  return {
    host: proxy.hostname,
    port: proxy.port || 80,
    path: url.href,
    headers: { host: url.host, ...authorisation(proxy) },
  };
}

/**
 * A TLS connection to an https address through a proxy's CONNECT.
 * @returns {Promise<tls.TLSSocket>} not yet shaken hands; @throws where the proxy refuses or is silent for answerMs
 */
export function tunnel(url, proxy, answerMs) {
  return new Promise((resolve, reject) => {
    const authority = `${url.hostname}:${url.port || 443}`;
    const request = http.request({
      host: proxy.hostname,
      port: proxy.port || 80,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...authorisation(proxy) },
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`no answer of the proxy in ${answerMs} ms`)),
      answerMs,
    );
    request.once('connect', (response, socket) => {
      clearTimeout(timer);
      if (response.statusCode === 200)
        resolve(tls.connect({ socket, servername: url.hostname, ALPNProtocols: ['http/1.1'] }));
      else {
        socket.destroy();
        reject(new Error(`the proxy ${proxy.host} answers ${response.statusCode}`));
      }
    });
    request.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
  });
}
