/** The business's users, while a page shows them. */
import { t } from '../i18n/words';
import type { Problem } from '../services/problem';
import type { StaffClient, StaffUser } from '../services/staff';
import { type ManagedStore, managedStore } from './managed';

export type StaffStore = ManagedStore<StaffUser, StaffClient>;

export function staffStore(client: StaffClient): StaffStore {
  return managedStore(client, refusalOf);
}

function refusalOf(problem: Problem): string {
  const field = problem.errors[0]?.field;
  if (problem.status === 412 || problem.status === 404) return t('staff.overtaken');
  if (problem.status === 409 && field === 'roles') return t('staff.lastOwner');
  if (problem.status === 409 && field === 'email') return t('staff.taken');
  if (problem.status === 429) return t('staff.tooSoon');
  return problem.message;
}
