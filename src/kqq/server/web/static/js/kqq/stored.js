// @ts-check
// IndexedDB as promises: a request, a transaction, the opening of a database.

/**
 * Return what a request gives.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
export function given(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/**
 * Do something within one transaction and return what it returns, once all of it is stored. What
 * `work` awaits must be requests of this transaction. If it raises, nothing is stored.
 *
 * With `strict` it is on disk then, and not only with the system.
 * @template T
 * @param {IDBDatabase} database
 * @param {string[]} stores
 * @param {(...stores: IDBObjectStore[]) => Promise<T> | T} work
 * @param {{strict?: boolean, readOnly?: boolean}} [how]
 * @returns {Promise<T>}
 */
export async function within(database, stores, work, { strict = false, readOnly = false } = {}) {
  const transaction = database.transaction(stores, readOnly ? "readonly" : "readwrite", {
    durability: strict ? "strict" : "relaxed",
  });
  const done = new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(undefined);
    transaction.onabort = () => reject(transaction.error ?? new Error("nothing was stored"));
  });
  try {
    const result = await work(...stores.map((name) => transaction.objectStore(name)));
    await done;
    return result;
  } catch (error) {
    done.catch(() => {}); // it says the same
    try {
      transaction.abort();
    } catch {
      // It has ended already.
    }
    throw error;
  }
}

/**
 * Give each entry that a cursor meets to `take`, until that returns false.
 * @param {IDBRequest<IDBCursorWithValue | null>} request
 * @param {(cursor: IDBCursorWithValue) => boolean | void} take
 * @returns {Promise<void>}
 */
export function each(request, take) {
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor || take(cursor) === false) resolve();
      else cursor.continue();
    };
  });
}

/**
 * Open a database; `upgrade` makes its stores.
 * @param {IDBFactory} factory
 * @param {string} name
 * @param {number} version
 * @param {(database: IDBDatabase) => void} upgrade
 * @returns {Promise<IDBDatabase>}
 */
export async function openDatabase(factory, name, version, upgrade) {
  const request = factory.open(name, version);
  request.onupgradeneeded = () => upgrade(request.result);
  const database = await given(request);
  // Another page deletes it, or is newer than this one: it must not have to wait.
  database.onversionchange = () => database.close();
  return database;
}
