// A burst on an idle HikariCP, the same as benchmarks/postgres/burst.py: its first line of input is a JDBC URL, the second
// starts the burst; the output is "ready", then the seconds from the first call to the last answer.

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public final class Burst {
    private static final String QUERY = "SELECT pg_sleep(0.002)";

    public static void main(String[] arguments) throws Exception {
        int callers = Integer.parseInt(arguments[0]);
        int queries = Integer.parseInt(arguments[1]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        HikariConfig configuration = new HikariConfig();
        configuration.setJdbcUrl(input.readLine());
        configuration.setMinimumIdle(5);
        configuration.setMaximumPoolSize(20);
        configuration.setConnectionTimeout(30_000);
        try (HikariDataSource pool = new HikariDataSource(configuration)) {
            while (pool.getHikariPoolMXBean().getIdleConnections() < 5) {
                Thread.sleep(10);
            }
            warm(pool);
            ExecutorService threads = Executors.newFixedThreadPool(callers);
            CountDownLatch standing = new CountDownLatch(callers);
            CountDownLatch start = new CountDownLatch(1);
            List<Future<?>> calls = new ArrayList<>();
            for (int caller = 0; caller < callers; caller++) {
                calls.add(threads.submit(() -> {
                    standing.countDown();
                    start.await();
                    for (int query = 0; query < queries; query++) {
                        ask(pool);
                    }
                    return null;
                }));
            }
            standing.await();
            System.out.println("ready");
            input.readLine();
            long began = System.nanoTime();
            start.countDown();
            for (Future<?> call : calls) {
                call.get();
            }
            double took = (System.nanoTime() - began) / 1e9;
            Thread.sleep(1000);
            System.out.println(took);
            threads.shutdown();
        }
    }

    // One at a time, so that the pool does not grow: the classes are loaded and compiled then.
    private static void warm(HikariDataSource pool) throws Exception {
        for (int query = 0; query < 200; query++) {
            ask(pool);
        }
    }

    private static void ask(HikariDataSource pool) throws Exception {
        try (Connection connection = pool.getConnection();
                PreparedStatement statement = connection.prepareStatement(QUERY)) {
            statement.execute();
        }
    }
}
