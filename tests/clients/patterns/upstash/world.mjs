// What the application has around it: who is logged in, a database that counts how often it is asked, and the few names
// of its framework.

/** Who asks; tests replace it. */
export const asking = { session: null };
/** How often the database was asked, by kind. */
export const calls = { findMany: 0, count: 0, create: 0, update: 0 };
const courses = [];

const chosen = ({ creatorId, name }) =>
  courses.filter((course) => course.creatorId === creatorId && course.name.toLowerCase().includes(name.contains.toLowerCase()));

export const prisma = {
  course: {
    async findMany({ where, select, skip, take }) {
      calls.findMany++;
      const page = chosen(where).slice(skip, skip + take);
      return page.map((course) => Object.fromEntries(Object.keys(select).map((field) => [field, course[field]])));
    },
    async count({ where }) {
      calls.count++;
      return chosen(where).length;
    },
    async create({ data }) {
      calls.create++;
      const course = { id: String(courses.length + 1), ...data };
      courses.push(course);
      return course;
    },
    async update({ where: { id }, data }) {
      calls.update++;
      return Object.assign(courses.find((course) => course.id === id), data);
    },
  },
  lesson: {
    async create({ data }) {
      calls.create++;
      return { id: '70', ...data };
    },
  },
  courseOnUser: {
    async create() {
      calls.create++;
    },
  },
};

export const getRequiredAuthSession = async () => asking.session;

/** Hands an action what it was called with, and who calls. */
export const authActionClient = {
  action: (run) => (parsedInput) => run({ parsedInput, ctx: { userId: asking.session.user.id } }),
};

export const NextResponse = Response;
