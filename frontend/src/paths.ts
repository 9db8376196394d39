/** The paths of the programs behind the page's origin. The service worker knows their beginnings only: see worker/shell.ts. */
export const api = {
  orders: '/api/orders',
  order: (orderId: string): string => `/api/orders/${encodeURIComponent(orderId)}`,
  pay: (orderId: string): string => `${api.order(orderId)}/pay`,
  status: (orderId: string): string => `${api.order(orderId)}/status`,
  undo: (orderId: string): string => `${api.order(orderId)}/undo`,
  history: (orderId: string): string => `${api.order(orderId)}/history`,
  snapshot: '/api/orders/snapshot',
  summary: '/api/orders/summary',
  counts: '/api/orders/counts',
  me: '/api/me',
  preferences: '/api/me/preferences',
  tenant: '/api/tenant',
  users: '/api/users',
  user: (userId: string): string => `/api/users/${userId}`,
  invitation: (userId: string): string => `${api.user(userId)}/invitation`,
  notifications: '/api/notifications',
  read: '/api/notifications/read',
  readAll: '/api/notifications/read-all',
  devices: '/api/devices',
  device: (deviceId: string): string => `/api/devices/${deviceId}`,
  seen: '/api/devices/me/seen',
  pairings: '/api/pairings',
  pairingState: '/api/pairings/state',
  stream: '/api/sse/notifications',
  receipts: '/api/sse/receipts',
  settings: '/config.json',
  demoUsers: '/dev/users',
} as const;

/** The paths of the page's own views, after "#". */
export const routes = {
  orders: '/',
  order: (orderId: string): string => `/orders/${orderId}`,
  preferences: '/preferences',
  today: '/today',
  business: '/business',
  staff: '/staff',
  devices: '/devices',
} as const;

/** The pattern of `routes.order`. */
export const orderPattern = '/orders/:id';

/** Where the provider sends a user back to. */
export const signedInPath = '/signed-in';
