// GET /api/admin/courses: a page of the courses that an administrator has made.

import { UPSTASH_CACHE_CONFIG, UpstashCacheManager, withUpstashCache } from './course_cache.mjs';
import { getRequiredAuthSession, NextResponse, prisma } from './world.mjs';

export async function GET(req) {
  const session = await getRequiredAuthSession();

  if (!session || session.user.role !== 'ADMIN') {
    return new NextResponse('Unauthorized', { status: 401 });
  }

  const { searchParams } = new URL(req.url);
  const adminId = session.user.id;
  const page = parseInt(searchParams.get('page') || '1');
  const limit = parseInt(searchParams.get('limit') || '5');
  const search = searchParams.get('search') || '';

  try {
    const cacheKey = UpstashCacheManager.generateKey('admin:courses', {
      adminId, page, limit, search
    });

    const result = await withUpstashCache(
      cacheKey,
      async () => {
        const [courses, total] = await Promise.all([
          prisma.course.findMany({
            where: {
              creatorId: adminId,
              name: { contains: search, mode: 'insensitive' }
            },
            select: { id: true, name: true, image: true, presentation: true },
            orderBy: { createdAt: 'asc' },
            skip: (page - 1) * limit,
            take: limit,
          }),
          prisma.course.count({
            where: {
              creatorId: adminId,
              name: { contains: search, mode: 'insensitive' }
            },
          }),
        ]);

        return {
          data: courses,
          total,
          page,
          limit,
          totalPages: Math.ceil(total / limit),
        };
      },
      { ttl: UPSTASH_CACHE_CONFIG.SEARCH_RESULTS }
    );

    return NextResponse.json(result);
  } catch (error) {
    console.error('[ADMIN_COURSES_GET]', error);
    return new NextResponse('Internal Server Error', { status: 500 });
  }
}
