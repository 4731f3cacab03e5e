// A script that asks the application twice, and tells how long it took.

const { APP_URL } = process.env;

const testCache = async () => {
  console.log('🧪 Test du système de cache...\n');

  // Test 1: Statistiques
  console.log('1️⃣ Récupération des statistiques...');
  const stats = await fetch(APP_URL + '/api/test/cache?action=stats');
  const statsData = await stats.json();
  console.log('✅ Stats récupérées:', statsData.data.totalKeys, 'clés');

  // Test 2: Test de performance
  console.log('\n2️⃣ Test de performance...');
  const start = Date.now();
  await fetch(APP_URL + '/api/admin/courses');
  const time = Date.now() - start;
  console.log(`✅ Temps de réponse: ${time}ms`);

  // Test 3: Test de cache hit
  console.log('\n3️⃣ Test de cache hit...');
  const start2 = Date.now();
  await fetch(APP_URL + '/api/admin/courses');
  const time2 = Date.now() - start2;
  console.log(`✅ Temps de réponse (cache): ${time2}ms`);

  if (time2 < time) {
    console.log(`🚀 Amélioration: ${Math.round((time - time2) / time * 100)}%`);
  }
};

testCache().catch(console.error);
