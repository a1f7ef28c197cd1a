package standin;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Faults that a test enables with system properties, for instance in configuration/jvm.options. */
public final class Faults {
  private static final long HOLD_MILLIS = 20;

  private Faults() {}

  /** Waits before any port is open. */
  public static void atStart() throws InterruptedException {
    if ("start".equals(System.getProperty("standin.crash"))) {
      Log.error("Crash requested by standin.crash");
      Runtime.getRuntime().halt(3);
    }
    pause("standin.startDelay");
  }

  /** Waits while the port is open and every request gets 503. */
  public static void beforeReady() throws InterruptedException {
    pause("standin.readyDelay");
  }

  public static void afterReady() {
    Integer delay = Integer.getInteger("standin.crashAfter");
    if (delay != null) {
      Threads.daemon("crash", () -> {
        Thread.sleep(delay);
        Runtime.getRuntime().halt(3);
      });
    }
  }

  public static void atStop() throws InterruptedException {
    pause("standin.stopDelay");
  }

  public static void atRequest() throws InterruptedException {
    pause("standin.latency");
  }

  /**
   * Waits for a number of milliseconds, or as long as a file exists, so that no test depends on speed. Creates a file
   * with the suffix .reached when it begins to wait.
   */
  private static void pause(String property) throws InterruptedException {
    String value = System.getProperty(property, "0");
    if (value.chars().allMatch(Character::isDigit)) {
      Thread.sleep(Long.parseLong(value));
      return;
    }
    Path hold = Path.of(value);
    if (Files.exists(hold)) {
      reached(Path.of(value + ".reached"));
    }
    while (Files.exists(hold)) {
      Thread.sleep(HOLD_MILLIS);
    }
  }

  private static void reached(Path file) {
    try {
      Files.writeString(file, "");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static boolean healthFails() {
    return "fail".equals(System.getProperty("standin.health"));
  }

  public static boolean deploymentFails() {
    return "fail".equals(System.getProperty("standin.deployment"));
  }
}
