package standin;

import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;

/** Daemon threads that log their failure. */
public final class Threads {
  private Threads() {}

  /** Work that may be interrupted and may fail. */
  public interface Work {
    void run() throws Exception;
  }

  public static Thread daemon(String name, Work work) {
    var thread = new Thread(() -> {
      try {
        work.run();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (Exception e) {
        Log.error("Thread " + name + " ended", e);
      }
    }, name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  public static Thread every(long millis, String name, Work work) {
    return daemon(name, () -> {
      while (true) {
        try {
          work.run();
        } catch (InterruptedException e) {
          throw e;
        } catch (Exception e) {
          Log.error("Thread " + name, e);
        }
        Thread.sleep(millis);
      }
    });
  }

  public static ThreadFactory named(String name) {
    var count = new AtomicInteger();
    return work -> {
      var thread = new Thread(work, name + "-" + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }
}
