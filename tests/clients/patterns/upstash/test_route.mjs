// GET /api/test/cache: what the cache holds, and its end.

import { CacheMonitor } from './cache_monitor.mjs';
import { UpstashCacheManager } from './course_cache.mjs';
import { NextResponse } from './world.mjs';

const getUpstashCacheStats = () => CacheMonitor.getStats();

export async function GET(req) {
  const { searchParams } = new URL(req.url);
  const action = searchParams.get('action');

  switch (action) {
    case 'stats':
      return NextResponse.json({
        success: true,
        action: 'stats',
        data: await getUpstashCacheStats(),
        timestamp: new Date().toISOString()
      });

    case 'clear':
      await UpstashCacheManager.clearAll();
      return NextResponse.json({
        success: true,
        action: 'clear',
        message: 'Cache cleared'
      });

    default:
      return NextResponse.json({
        success: false,
        error: 'Invalid action'
      });
  }
}
