package standin.http;

import java.util.concurrent.atomic.AtomicInteger;

/** The session of a browser, on this node only. */
public final class Session {
  private final String id;
  private final AtomicInteger counter = new AtomicInteger();
  private volatile long lastUse = System.currentTimeMillis();

  Session(String id) {
    this.id = id;
  }

  String id() {
    return id;
  }

  public int count() {
    return counter.incrementAndGet();
  }

  void touch() {
    lastUse = System.currentTimeMillis();
  }

  boolean isOlderThan(long millis) {
    return System.currentTimeMillis() - lastUse > millis;
  }
}
