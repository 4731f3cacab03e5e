import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, beforeEach, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startHttpServer } from '../../harness/http.mjs';

await startHttpServer();
const { redis } = await import('./redis.mjs');
const { UpstashCacheManager } = await import('./course_cache.mjs');
const { courseActionCreate, courseActionEdit, joinCourseAction, lessonActionCreate } = await import('./course_actions.mjs');
const { GET: getCourses } = await import('./courses_route.mjs');
const { GET: getTest } = await import('./test_route.mjs');
const { asking, calls } = await import('./world.mjs');

const routes = { '/api/admin/courses': getCourses, '/api/test/cache': getTest };
const logged = [];
mock.method(console, 'log', (line) => logged.push(line));
let admins = 0;
beforeEach(async () => {
  await redis.flushall();
  // One who has no courses yet.
  asking.session = { user: { id: `admin-${++admins}`, role: 'ADMIN' } };
  for (const kind in calls) calls[kind] = 0;
  logged.length = 0;
});

const get = (path) => routes[path.split('?')[0]](new Request(`http://app${path}`));
const courses = async (query = '') => (await get(`/api/admin/courses${query}`)).json();
const names = async (query) => (await courses(query)).data.map(({ name }) => name);

test('an administrator\'s list of courses: the database is asked once for five minutes', async () => {
  for (let n = 1; n <= 7; n++) await courseActionCreate({ name: `Course ${n}`, image: 'i', presentation: 'p' });
  const first = await courses();
  assert.deepEqual([first.total, first.page, first.limit, first.totalPages, first.data.length], [7, 1, 5, 2, 5]);
  assert.deepEqual(await courses(), first);
  assert.deepEqual([calls.findMany, calls.count], [1, 1]);
  const key = `admin:courses:adminId:${asking.session.user.id}:limit:5:page:1:search:`;
  assert.deepEqual(await redis.keys('*'), [key]);
  const ttl = await redis.ttl(key);
  assert.ok(ttl > 290 && ttl <= 300);
  assert.deepEqual(logged, [`[CACHE MISS] ${key}`, `[CACHE HIT] ${key}`]);
  assert.deepEqual(await names('?page=2'), ['Course 6', 'Course 7']);
  assert.deepEqual(await names('?search=course%203'), ['Course 3']);
  assert.equal(calls.findMany, 3);
});

test('an administrator\'s list is nobody else\'s', async () => {
  await courseActionCreate({ name: 'mine' });
  assert.deepEqual(await names(), ['mine']);
  asking.session.user = { ...asking.session.user, id: 'another' };
  assert.deepEqual(await names(), []);
  asking.session.user.role = 'USER';
  assert.equal((await get('/api/admin/courses')).status, 401);
  asking.session = null;
  assert.equal((await get('/api/admin/courses')).status, 401);
});

test('a course that is created or edited is seen at once', async () => {
  const { message, course } = await courseActionCreate({ name: 'Redis' });
  assert.equal(message, 'Course created!');
  assert.deepEqual(await names(), ['Redis']);
  await courseActionCreate({ name: 'Rust' });
  assert.deepEqual(await names(), ['Redis', 'Rust']);
  await redis.set(`course:${course.id}:full`, course);
  assert.equal((await courseActionEdit({ courseId: course.id, name: 'Spinel' })).message, 'Course updated!');
  assert.deepEqual(await redis.keys('*'), []);
  assert.deepEqual([await names(), await names()], Array(2).fill(['Spinel', 'Rust']));
  assert.equal(calls.findMany, 3);
});

test('a lesson that is created drops the lists of lessons and what shows its course', async () => {
  const shows = [
    'lesson:70:full', 'user-progress:lesson:70:userId:1', 'admin:lessons:course:7:page:1', 'admin:lesson:details:70',
    'lessons:course:7:page:1', 'course:7:full', 'admin:courses:page:1', 'user:course:details:7',
  ];
  const stays = ['course:8:full', 'lesson:71:full', 'lessons:course:8:page:1'];
  await Promise.all([...shows, ...stays].map((key) => UpstashCacheManager.set(key, { key }, 300)));
  const { message, lesson } = await lessonActionCreate({ courseId: '7', name: 'Streams' });
  assert.deepEqual([message, lesson.id, calls.create], ['Lesson created!', '70', 1]);
  assert.deepEqual((await redis.keys('*')).sort(), stays);
});

test('who joins a course is seen among its participants', async () => {
  const shows = ['user:courses:userId:1:page:1', 'admin:course:participants:7:page:1', 'user:course:participants:7:page:1'];
  await Promise.all([...shows, 'lesson:70:full'].map((key) => UpstashCacheManager.set(key, { key }, 300)));
  assert.deepEqual(await joinCourseAction('7', '1'), { success: true });
  assert.equal(calls.create, 1);
  assert.deepEqual(await redis.keys('*'), ['lesson:70:full']);
});

test('the route for tests: statistics, an end of all keys, and nothing else', async () => {
  await Promise.all(Array.from({ length: 12 }, (_, n) => UpstashCacheManager.set(`key:${n}`, { n }, 300)));
  const stats = await (await get('/api/test/cache?action=stats')).json();
  assert.deepEqual([stats.success, stats.action, stats.data.totalKeys, stats.data.sampleKeys.length], [true, 'stats', 12, 5]);
  const cleared = await (await get('/api/test/cache?action=clear')).json();
  assert.deepEqual(cleared, { success: true, action: 'clear', message: 'Cache cleared' });
  assert.equal(await redis.dbsize(), 0);
  assert.deepEqual(await (await get('/api/test/cache')).json(), { success: false, error: 'Invalid action' });
});

test('the script that tries the application: its second request is answered from the cache', async () => {
  const app = createServer(async (request, response) => {
    const answer = await get(request.url);
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  after(() => app.close());
  await redis.mset({ a: 1, b: 2, c: 3 });
  const script = fileURLToPath(new URL('cache_script.mjs', import.meta.url));
  const APP_URL = `http://127.0.0.1:${app.address().port}`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { env: { ...process.env, APP_URL } });
  assert.equal(stderr, '');
  assert.match(stdout, /Stats récupérées: 3 clés/);
  assert.match(stdout, /Temps de réponse: \d+ms/);
  assert.match(stdout, /Temps de réponse \(cache\): \d+ms/);
  assert.deepEqual(logged.map((line) => line.split('admin:')[0]), ['[CACHE MISS] ', '[CACHE HIT] ']);
  assert.equal(calls.findMany, 1);
});
