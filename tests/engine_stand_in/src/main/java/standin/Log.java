package standin;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/** Writes to standard output, and to logs/ivy.log once {@link #open} was called. */
public final class Log {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSS");
  private static PrintStream file;

  private Log() {}

  public static synchronized void open(Path directory) throws IOException {
    Files.createDirectories(directory);
    var out = Files.newOutputStream(directory.resolve("ivy.log"), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    file = new PrintStream(out, true, StandardCharsets.UTF_8);
  }

  public static void info(String message) {
    write("INFO ", message);
  }

  public static void warn(String message) {
    write("WARN ", message);
  }

  public static void error(String message) {
    write("ERROR", message);
  }

  public static void error(String message, Throwable cause) {
    write("ERROR", message + ": " + cause);
  }

  /** Writes a line unchanged, since people or scripts wait for it. */
  public static synchronized void plain(String message) {
    System.out.println(message);
    if (file != null) {
      file.println(message);
    }
  }

  /** JGroups and the JDBC driver log through java.util.logging. */
  public static void takeOverJavaLogging() {
    LogManager.getLogManager().reset();
    Logger root = Logger.getLogger("");
    root.setLevel(Level.WARNING);
    root.addHandler(new JavaLoggingHandler());
  }

  private static void write(String level, String message) {
    plain(TIME.format(LocalDateTime.now()) + " " + level + " [" + Thread.currentThread().getName() + "] " + message);
  }

  private static final class JavaLoggingHandler extends Handler {
    private final SimpleFormatter formatter = new SimpleFormatter();

    @Override
    public void publish(LogRecord line) {
      if (isLoggable(line)) {
        write(line.getLevel() == Level.WARNING ? "WARN " : "ERROR",
            formatter.formatMessage(line));
      }
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }
}
