package standin;

/** Odd behaviour that a test switches on by system properties, for instance in configuration/jvm.options. */
public final class Faults {
  private Faults() {}

  /** Before anything listens. */
  public static void atStart() throws InterruptedException {
    if ("start".equals(System.getProperty("standin.crash"))) {
      Log.error("Crash asked for by standin.crash");
      Runtime.getRuntime().halt(3);
    }
    Thread.sleep(Integer.getInteger("standin.startDelay", 0));
  }

  /** The port is open, every request gets 503. */
  public static void beforeReady() throws InterruptedException {
    Thread.sleep(Integer.getInteger("standin.readyDelay", 0));
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
    Thread.sleep(Integer.getInteger("standin.stopDelay", 0));
  }

  public static void atRequest() throws InterruptedException {
    Thread.sleep(Integer.getInteger("standin.latency", 0));
  }

  public static boolean healthFails() {
    return "fail".equals(System.getProperty("standin.health"));
  }

  public static boolean deploymentFails() {
    return "fail".equals(System.getProperty("standin.deployment"));
  }
}
