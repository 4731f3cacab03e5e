// What changes courses, and drops from the cache what shows them.

import { UpstashCacheManager } from './course_cache.mjs';
import { authActionClient, prisma } from './world.mjs';

export const courseActionCreate = authActionClient
  .action(async ({ parsedInput, ctx: { userId } }) => {
    const course = await prisma.course.create({ data: { ...parsedInput, creatorId: userId } });

    await UpstashCacheManager.invalidateCourseCache(course.id);

    return { message: 'Course created!', course };
  });

export const courseActionEdit = authActionClient
  .action(async ({ parsedInput: { courseId, ...data }, ctx: { userId } }) => {
    const course = await prisma.course.update({ where: { id: courseId, creatorId: userId }, data });

    await UpstashCacheManager.invalidateCourseCache(courseId);

    return { message: 'Course updated!', course };
  });

export const lessonActionCreate = authActionClient
  .action(async ({ parsedInput, ctx: { userId } }) => {
    const lesson = await prisma.lesson.create({ data: { ...parsedInput, creatorId: userId } });

    await UpstashCacheManager.invalidateLessonCache(lesson.id);
    await UpstashCacheManager.invalidateCourseCache(parsedInput.courseId);

    return { message: 'Lesson created!', lesson };
  });

export async function joinCourseAction(courseId, userId) {
  await prisma.courseOnUser.create({ userId, courseId });

  await UpstashCacheManager.invalidateCourseCache(courseId);

  return { success: true };
}
